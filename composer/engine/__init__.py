"""What runs a stack: containers, images, networks, volumes. Knows no stacks; usable alone, by any Docker client."""
