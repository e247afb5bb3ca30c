"""`pound demo`: what a newcomer sees in the first minute, unattended."""

import re

from peers import pound as process


def test_the_demo_fails_over_without_a_failed_request_and_shows_a_usable_configuration(tmp_path):
    done = process.run("demo", "--seconds", "12", within=60)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    requests = int(re.search(r"requests\s+(\d+)", said)[1])
    assert requests > 100, said
    assert re.search(r"^\s*failed\s+0$", said, re.M), said
    # What a back-end that went down did not answer is no error of anybody's.
    assert "errors" not in said, said
    assert "no answer" not in said or "another back-end answered each of them" in said, said
    assert "left out after" in said and "back after" in said, "at least one back-end went and came back"
    # The file it prints is the one it runs: from the first comment to the end of the last block.
    lines = said.splitlines()
    last = max(number for number, line in enumerate(lines) if line == "End")
    checked = process.check("\n".join(lines[: last + 1]) + "\n", tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_the_demo_refuses_what_it_does_not_know():
    refused = process.run("demo", "--second", "3")
    assert refused.returncode != 0
    assert "--second" in refused.stderr
