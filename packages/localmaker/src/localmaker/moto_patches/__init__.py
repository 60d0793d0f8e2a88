"""The border with moto: what the endpoint replaces inside it, and how another moto is noticed.

``manifest`` lists every such place, ``verified`` compares it with the installed moto at the start, ``application``
installs the patches. A patch that could go upstream is a module of its service, which says what moto does, what AWS
does, and which place it replaces.
"""
