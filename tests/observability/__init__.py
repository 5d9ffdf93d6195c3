"""What can be seen of a run from outside: its trace, its logs, its metrics, and what may be in none of them."""
