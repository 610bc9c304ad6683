"""The OMS itself, small and real: the first user of the facades."""
