"""Building blocks of the DAGs in `dags/`: tasks that run the project's commands, and alerts when one fails."""
