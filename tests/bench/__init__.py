"""What the product carries, adds and costs: ``make bench``."""
