"""Workers and brokers that are killed and stopped at random moments, and an account of every task."""
