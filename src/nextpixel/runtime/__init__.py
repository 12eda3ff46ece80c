"""What the code runs on: processes, numbers, memory, files that appear whole, and checks of arguments."""
