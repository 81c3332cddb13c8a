"""The local source API: serves users like randomuser.me 1.4, generated or replayed, with faults on demand."""
