"""A JSON schema that no text here comes to the end of."""

ENDLESS_SCHEMA = {
    "type": "array",
    "minItems": 1000,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 24},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "email": {"type": "string", "pattern": "^[a-z]{1,12}@[a-z]{1,12}[.](com|org|net)$"},
            "likes": {"type": "array", "items": {"type": "string", "maxLength": 16}, "minItems": 1, "maxItems": 3},
            "role": {"enum": ["farmer", "teacher", "doctor", None]},
            "is_member": {"type": "boolean"},
        },
        "required": ["name", "age", "email", "likes", "role", "is_member"],
        "additionalProperties": False,
    },
}
