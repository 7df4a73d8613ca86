"""Linux system calls that Python lacks, by ctypes. Nothing here knows containers. Sources: the man pages named at each function."""
