"""The local source API: users as randomuser.me 1.4 delivers them, generated or replayed, and faults on demand."""
