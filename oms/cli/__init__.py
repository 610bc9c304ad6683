"""The oms command: a thin entrance that parses, calls one room and prints what came of it."""
