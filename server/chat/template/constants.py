"""Facts about chat templates that need no Jinja, which is imported for the first chat only."""

RESERVED_VARIABLES = ("messages", "tools", "documents", "add_generation_prompt")
"""Template variables that are fields of a request themselves, so that template_kwargs must not hold them."""

CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
CHATML_STOP = ("<|im_end|>",)
"""A model that was not trained on ChatML continues it with the next turns, and its vocabulary may not have the tag."""
