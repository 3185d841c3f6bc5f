"""Does what `attend export --to hf` writes compute the same in transformers and in CTranslate2 (float32)?

usage: check_export.py ATTEND MODEL SOURCE TARGET        (two parallel texts; the first 16 pairs go to transformers)

Lets transformers answer for `attend import --verify`, and translates SOURCE with attend and CTranslate2. Where they differ, transformers
scores both: the log-probabilities of a tie are equal.

The folder has MarianMT's layout (post-norm) or Pegasus's (pre-norm), which start a target differently: Pegasus with attend's own
start token; MarianMT, as CTranslate2 does, from the zero vector of its padding, with that token added to the first position. Both
tokens are read from config.json itself: transformers' PegasusConfig has no bos_token_id of its own, and a default for the other.
"""
import json, os, subprocess, sys, tempfile

attend, model, source, target = sys.argv[1:]
folder, ct2 = (os.path.join(tempfile.mkdtemp(), name) for name in ("hf", "ct2"))
subprocess.run([attend, "export", "-m", model, "--to", "hf", folder], check=True)
# CTranslate2 and PyTorch bring a runtime for threads each, which don't share a process well.
subprocess.run([sys.executable, "-W", "ignore", "-c", "import sys, ctranslate2; ctranslate2.converters.TransformersConverter(sys.argv[1])"
                ".convert(sys.argv[2])", folder, ct2], check=True)
search = """import sys, json, ctranslate2, sentencepiece
s = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1] + '/source.spm')
x = [s.encode(l, out_type=str) + ['</s>'] for l in open(sys.argv[3], encoding='utf-8').read().split(chr(10))[:-1]]
t = ctranslate2.Translator(sys.argv[2], compute_type='float32', intra_threads=2)
d = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1] + '/target.spm').decode
print(json.dumps([[d(r.hypotheses[0]) for r in t.translate_batch(x, beam_size=b, length_penalty=0, max_batch_size=32, max_decoding_length=100)]
                  for b in (1, 4)]))"""
theirs = json.loads(subprocess.run([sys.executable, "-c", search, folder, ct2, source], check=True, stdout=subprocess.PIPE).stdout)

import torch, transformers
from safetensors.torch import save_file
torch.set_num_threads(2)
read = lambda path: open(path, encoding="utf-8").read().split("\n")[:-1]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
hf = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
config = json.load(open(os.path.join(folder, "config.json"), encoding="utf-8"))
begin = config["bos_token_id"]  # attend's
start = torch.tensor([[config["decoder_start_token_id"]]])  # transformers'
x = tokenizer(read(source)[:16], return_tensors="pt", padding=True)
y = tokenizer(text_target=read(target)[:16], return_tensors="pt", padding=True).input_ids
y = torch.cat([start.expand(len(y), 1), y[:, :6]], 1)
ours = torch.cat([torch.full_like(y[:, :1], begin), y[:, 1:]], 1)
kept = dict(source=x.input_ids, source_mask=x.attention_mask, target=ours)
with torch.no_grad():
    r = hf(**x, decoder_input_ids=y, output_attentions=True)
    kept.update(encoder=r.encoder_last_hidden_state, logits=r.logits, cross_attention_0=r.cross_attentions[0])
    for tail, more in (("", {}), ("_nr2", {"no_repeat_ngram_size": 2})):
        options = dict(max_new_tokens=20, max_length=None, do_sample=False, return_dict_in_generate=True, output_scores=True, **more)
        kept["greedy" + tail] = hf.generate(**x, num_beams=1, **options).sequences
        beam = hf.generate(**x, num_beams=4, length_penalty=1.0, early_stopping=True, **options)
        kept["beam4" + tail], kept["beam4_score" + tail] = beam.sequences, beam.sequences_scores
save_file({k: v.contiguous().clone() for k, v in kept.items()}, os.path.join(folder, "expected.safetensors"))
print("transformers", transformers.__version__, type(hf).__name__, type(tokenizer).__name__, flush=True)
verified = subprocess.run([attend, "import", folder, "--verify"]).returncode == 0

def score(line, text):
    x, y = tokenizer(line, return_tensors="pt"), tokenizer(text_target=text, return_tensors="pt").input_ids
    with torch.no_grad():
        p = hf(**x, decoder_input_ids=torch.cat([start, y[:, :-1]], 1)).logits.log_softmax(-1)
    return float(p.gather(2, y[:, :, None]).sum())

for beam, other in zip((1, 4), theirs):
    command = [attend, "translate", "-m", model, "--no-guard", "--beam", str(beam), "--length-penalty", "0", "--max-ratio", "0", "--max-extra", "100"]
    out = subprocess.run(command, stdin=open(source), check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")[:-1]
    apart = [score(s, a) - score(s, b) for s, a, b in zip(read(source), out, other) if a != b]
    print(f"CTranslate2, beam {beam}: {len(out) - len(apart)} of {len(out)} lines equal; log-probabilities of attend's minus theirs:",
          [round(d, 4) for d in apart])
sys.exit(not verified)
