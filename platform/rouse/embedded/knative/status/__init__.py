"""What is observed -> the status of an object. Pure."""
