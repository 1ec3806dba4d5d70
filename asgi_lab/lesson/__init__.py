"""What a lesson needs besides the lab itself."""
