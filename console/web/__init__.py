"""The console's server: its guard, its routes, and what each page asks for."""
