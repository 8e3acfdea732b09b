"""Index of the words of users, by which the staff site finds them; Django's own migrations know nothing of it."""

from django.contrib.auth.models import User

from milo import word_indexes
from milo.word_indexes import WordIndex


def declare() -> None:
    """Declare the index. Called once at startup."""
    words = ["username", "first_name", "last_name", "email"]
    word_indexes.declare(User, WordIndex(words=words, name="user_words"))
