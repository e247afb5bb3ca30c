"""The other side of every test: back-ends, clients and the process under test.

Nothing in here knows what a test wants to prove. A peer starts, says where it listens, tells what it
saw, and stops; every wait is for a condition and has an end.
"""
