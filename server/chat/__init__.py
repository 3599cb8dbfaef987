"""Chats: from a request's messages to a prompt, and from generated text back to the parts of a message.

request body
  |  request.py, messages.py, tools/request.py
  v
Chat: messages, tools, documents
  |  prompt.py; tools/generic_format.py if the model's own call format is unknown
  |  template/template.py: adapt the messages (adapter.py, capabilities.py), render them (jinja_environment.py)
  v
prompt, which begins with the part that system_prefix.py and system_prompt.py know
  |  generation under the grammar of tools/grammar.py, in the format of tools/call_format.py, which
  |  template/tool_call_format.py infers from the template, with the syntax of arguments (template/argument_syntax.py)
  |  and what is around reasoning and answers (template/answer_format.py)
  v
text
  |  tools/output_parser.py, with tools/matching.py, tools/arguments.py and tools/reasoning.py
  v
deltas of reasoning, content and tool calls
"""
