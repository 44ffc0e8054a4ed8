"""What clients send: requests as clips (`clips_in`, `completions`), and their pictures, decoded in child processes."""
