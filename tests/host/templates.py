"""Chat templates of the kinds found with models, written anew, with what they make of a conversation."""

__all__ = ["EXPECTED", "MESSAGES", "TEMPLATES"]

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hello \"you\" "},
            {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "More?"}]

TEMPLATES = {
    "ChatML": """\
{% for message in messages %}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
""",
    "Llama 2": """\
{% if messages[0]['role'] == 'system' %}
    {% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}
    {% set turns = messages[1:] %}
{% else %}
    {% set system = '' %}
    {% set turns = messages %}
{% endif %}
{% for message in turns %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('roles must alternate user/assistant') }}
    {% endif %}
    {% if message['role'] == 'user' %}
        {%- set content = (system if loop.first else '') + message['content'] %}
        {{- bos_token + '[INST] ' + content | trim + ' [/INST]' -}}
    {% else %}
        {{- ' ' + message['content'] | trim + ' ' + eos_token -}}
    {% endif %}
{% endfor %}
""",
    "Llama 3": """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "2B-4T": "{% for message in messages %}{% set content = message['role'] | capitalize + ': ' + message['content'] "
             "| trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
             "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
    "Mistral": "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
               "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
               "{{ message['content'] + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles are "
               "supported!') }}{% endif %}{% endfor %}",
}

EXPECTED = {
    "ChatML": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hello \"you\" <|im_end|>\n"
              "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nMore?<|im_end|>\n<|im_start|>assistant\n",
    "Llama 2": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hello \"you\" [/INST] Hi! </s><s>[INST] More? [/INST]",
    "Llama 3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
               "<|end_header_id|>\n\nHello \"you\"<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHi!"
               "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nMore?<|eot_id|><|start_header_id|>assistant"
               "<|end_header_id|>\n\n",
    "2B-4T": "<s>System: Be brief.<|eot_id|>User: Hello \"you\"<|eot_id|>Assistant: Hi!<|eot_id|>User: More?<|eot_id|>"
             "Assistant: ",
}
