"""Counts what holds, and says what does not."""
import nacl.exceptions

from .conventions import Refused


class Checks:
    def __init__(self):
        self.passed, self.failed, self.where = 0, 0, ""

    def true(self, what, condition, got="that is wrong"):
        self.passed, self.failed = self.passed + bool(condition), self.failed + (not condition)
        if not condition:
            print(f"{self.where}: {what}: {got}")

    def equal(self, what, got, expected):
        self.true(what, got == expected, f"got {short(got)}, expected {short(expected)}")

    def does(self, what, action, *arguments):
        """That the action goes through; its result, or None."""
        try:
            result = action(*arguments)
        except Exception as error:  # whatever broken bytes provoke is a failure of this check
            return self.true(what, False, f"{type(error).__name__} {error}")
        self.true(what, True)
        return result

    def refuses(self, what, action, *arguments):
        try:
            action(*arguments)
        except (Refused, nacl.exceptions.CryptoError):
            return self.true(what, True)
        self.true(what, False, "was not refused")

    def each(self, file, noun, vectors, check):
        read = 0
        for number, vector in enumerate(vectors, 1):
            failed, self.where = self.failed, f"{file}: {noun} {number}"
            self.does("is read to its end", check, vector)
            read += self.failed == failed
        self.where = file
        self.true(f"there is a {noun}", vectors)
        return f"{read} {noun}" + "s" * (read != 1)


def short(value):
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def hexed(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def plain(value):
    """As JSON has it: bytes in hexadecimal, tuples as lists, parts as objects."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return plain(vars(value)) if hasattr(value, "__dict__") else value
