"""All flags in groups, in the order of --help. Spellings and variables are those of llama.cpp's server.

model        where the model file comes from          completion   length and form of the output, grammars
context      slots, batches, threads, KV cache, RoPE  sampling     samplers and penalties
cache        prompt reuse, context shift              chat         chat template, reasoning
speculation  drafts                                   embedding    embeddings and reranking
gpu          layers and their GPUs                    listening    address, TLS, CORS
fit          what fits into memory                    server       API keys, limits
log          level, file, form                        fine_tuning  where jobs are, their limits
media        pictures and sounds                      ui           the web page
"""

from server.cli.flags.cache import CACHE
from server.cli.flags.chat import CHAT
from server.cli.flags.completion import COMPLETION, CONSTRAINT
from server.cli.flags.context import CONTEXT, ROPE
from server.cli.flags.embedding import EMBEDDING
from server.cli.flags.fine_tuning import FINE_TUNING
from server.cli.flags.fit import FIT
from server.cli.flags.gpu import GPU
from server.cli.flags.listening import LISTENING
from server.cli.flags.log import LOG
from server.cli.flags.media import MEDIA
from server.cli.flags.model import MODEL
from server.cli.flags.sampling import REPETITION, SAMPLING
from server.cli.flags.server import SERVER
from server.cli.flags.speculation import SPECULATION
from server.cli.flags.ui import UI

GROUPS = (
    MODEL,
    CONTEXT,
    CACHE,
    SPECULATION,
    MEDIA,
    GPU,
    FIT,
    ROPE,
    COMPLETION,
    CHAT,
    CONSTRAINT,
    SAMPLING,
    REPETITION,
    EMBEDDING,
    LISTENING,
    SERVER,
    UI,
    FINE_TUNING,
    LOG,
)

__all__ = ["GROUPS"]
