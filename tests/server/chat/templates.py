"""Short chat templates in the styles of well-known model families."""

ROLES_ONLY = """\
{% for message in messages %}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""

HEADERS_AND_DATE = """\
{{- bos_token }}
{%- set today = date_string if date_string is defined else strftime_now('%Y') %}
{%- if messages[0].role == 'system' %}
    {%- set rules = messages[0].content %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set rules = '' %}
{%- endif %}
{{- '<|head|>system<|end_head|>\\n\\nToday: ' + today + '\\n' + rules + '<|eot|>' }}
{%- for message in messages %}
    {%- if message.tool_calls is defined %}
        {%- if message.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|head|>assistant<|end_head|>\\n\\n{"name": "' + call.name + '", "parameters": ' }}
        {{- (call.arguments | tojson) + '}<|eot|>' }}
    {%- else %}
        {%- set role = 'ipython' if message.role == 'tool' else message.role %}
        {{- '<|head|>' + role + '<|end_head|>\\n\\n' + message.content | trim + '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|end_head|>\\n\\n' }}{% endif %}
"""

NO_SYSTEM = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}
{% for message in messages %}
{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles have to alternate') }}{% endif %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{ '<turn>' + role + '\\n' + message['content'] | trim + '</turn>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<turn>model\\n' }}{% endif %}
"""

BRACKETS = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {%- if loop.last and tools is not none %}{{ '[TOOLS]' + tools | tojson + '[/TOOLS]' }}{% endif %}
        {{- '[INST] ' + message.content + ' [/INST]' }}
    {%- elif message.role == 'tool' %}
        {{- '[RESULT]' + {'id': message.tool_call_id, 'content': message.content} | tojson + '[/RESULT]' }}
    {%- elif message.tool_calls is defined %}
        {%- for call in message.tool_calls %}
            {%- if call.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}
            {{- '[CALL]' + call.function.name + '[ID]' + call.id + '[ARGS]' + call.function.arguments }}
        {%- endfor %}
        {{- eos_token }}
    {%- elif message.role == 'assistant' %}
        {{- ' ' + message.content | trim + eos_token }}
    {%- else %}
        {{- raise_exception('only user, assistant and tool, got ' + message.role) }}
    {%- endif %}
    {%- if message.role == messages[loop.index0 - 1].role and not loop.first and message.role == 'user' %}
        {{- raise_exception('user and assistant have to take turns') }}
    {%- endif %}
{%- endfor %}
"""

TYPED_PARTS = """\
{%- for message in messages %}
    {{- message.role | upper + ':' }}
    {%- for part in message.content %}
        {%- if part.type == 'text' %}{{ ' ' + part.text }}{% elif part.type == 'image' %}{{ ' <image>' }}{% endif %}
    {%- endfor %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
"""

TAGGED_TOOLS = """\
{%- if tools %}
    {{- '<|im_start|>system\\nTools:\\n' }}
    {%- for tool in tools %}{{ tool | tojson + '\\n' }}{% endfor %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + ('user' if message.role == 'tool' else message.role) + '\\n' }}
    {%- if message.role == 'tool' %}
        {{- '<tool_response>' + message.content + '</tool_response>' }}
    {%- else %}
        {{- message.content }}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments | tojson + '}</tool_call>' }}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""

LIST_OF_TOOLS = """\
<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>
{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}
"""

THINKING = """\
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == 'assistant' and '</think>' in content %}
        {%- set content = content.split('</think>')[-1] | trim %}
    {%- endif %}
    {{- '<|' + message.role + '|>' + content + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {{- '<think></think>' if enable_thinking is defined and not enable_thinking else '<think>\\n' }}
{%- endif %}
"""

ALL = {
    "roles only": ROLES_ONLY,
    "headers": HEADERS_AND_DATE,
    "no system": NO_SYSTEM,
    "brackets": BRACKETS,
    "typed parts": TYPED_PARTS,
    "tagged tools": TAGGED_TOOLS,
    "list of tools": LIST_OF_TOOLS,
    "thinking": THINKING,
}
