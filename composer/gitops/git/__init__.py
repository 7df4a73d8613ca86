"""Git as a program that is not trusted with anything: addresses, one hardened run, a bare mirror, its trees, its signatures."""
