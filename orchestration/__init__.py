"""What the DAGs in `dags/` are made of: the project's own commands as tasks, and alerts when one fails."""
