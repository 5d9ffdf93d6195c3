"""What `./dev run` needs beside the product: embedded servers and an inbox."""
