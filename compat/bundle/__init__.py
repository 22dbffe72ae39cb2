"""The offline bundle: pack a matrix, carry it in parts, run it far away, merge what came back."""
