"""What several services of the monolith share."""
