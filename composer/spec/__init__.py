"""What is wanted: Compose files to one resolved, validated `Stack`.

    load(Request) -> Stack | Need          pure; SpecError with every mistake at its place
    load_from_disk(request, load)          the same, reading the files itself

Knows no engine. The words: Source, Node, Mark (tree); Diagnostic (composer.errors); Stack and its parts (model).
"""
