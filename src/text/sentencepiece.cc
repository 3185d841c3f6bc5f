/* The bridge to SentencePiece 0.1.97. Every function catches what C++ throws; see sentencepiece.h for the contract. */
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <locale>
#include <memory>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

extern "C" {
#include "text/sentencepiece.h"
}

/* Exported by the library, declared only in a header that it doesn't install. */
namespace sentencepiece::logging
{
void SetMinLogLevel(int level);
}

struct at_spm {
    sentencepiece::SentencePieceProcessor processor;
    bool unigram = false;
};

namespace
{

using sentencepiece::util::Status;

constexpr size_t longest_text = size_t(1) << 26; /* bytes; the library counts in int, and tables can lengthen text */

/* The library logs to standard error from level 0 (information) to 2 (errors); only fatal ones are left. Its level is one of the
 * process, set once. */
void be_silent()
{
    static std::once_flag once;
    std::call_once(once, [] { sentencepiece::logging::SetMinLogLevel(3); });
}

/* Runs body() and turns what it throws into a status. */
template <typename Body> at_status guarded(at_error *err, const char *what, Body body)
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return at_fail(err, ATT_MEMORY, "%s: out of memory; close other programs or use less text", what);
    } catch (const std::exception &e) {
        return at_fail(err, ATT_INPUT, "%s: SentencePiece failed: %s", what, e.what());
    } catch (...) {
        return at_fail(err, ATT_INPUT, "%s: SentencePiece failed", what);
    }
}

class Sentences : public sentencepiece::SentenceIterator
{
  public:
    Sentences(at_next_sentence next, void *arg) : next_(next), arg_(arg)
    {
        Next();
    }
    bool done() const override
    {
        return done_;
    }
    void Next() override
    {
        const char *text = nullptr;
        size_t len = 0;
        done_ = !next_(arg_, &text, &len);
        if (!done_) value_.assign(text, len);
    }
    const std::string &value() const override
    {
        return value_;
    }
    Status status() const override
    {
        return Status();
    }

  private:
    at_next_sentence next_;
    void *arg_;
    std::string value_;
    bool done_ = false;
};

std::string to_text(double value)
{
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out << value;
    return out.str();
}

/* The space is always a piece: without it a unigram model of text in which spaces are rare could lose all pieces, and
 * the library would exit. A soft limit lets the vocabulary come out smaller than asked for. One thread, as the order
 * in which several add floats changes the pieces. */
std::unordered_map<std::string, std::string> options(const at_tokenizer_spec &spec)
{
    static const char *const types[] = {"unigram", "bpe", "char"};
    std::unordered_map<std::string, std::string> made = {
        {"model_type", types[spec.model]},
        {"vocab_size", std::to_string(spec.vocab_size)},
        {"character_coverage", to_text(spec.character_coverage)},
        {"byte_fallback", spec.byte_fallback ? "true" : "false"},
        {"required_chars", "\xE2\x96\x81"},
        {"hard_vocab_limit", "false"},
        {"num_threads", "1"},
        {"pad_id", "0"},
        {"unk_id", "1"},
        {"bos_id", "2"},
        {"eos_id", "3"},
    };
    if (spec.model != ATT_SUBWORD_CHAR) return made;
    made["required_chars"] = "\xE2\x96\x81\n"; /* lines come without their end */
    made["user_defined_symbols"] = "\t";         /* a sign of its own in the library, which passes over it in text */
    made["use_all_vocab"] = "true";
    made["normalization_rule_name"] = "identity";
    made["add_dummy_prefix"] = "false";
    made["remove_extra_whitespaces"] = "false";
    return made;
}

/* The library says how many characters there are only within a sentence. */
at_status training_failed(const at_tokenizer_spec &spec, const Status &status, at_error *err)
{
    int size = 0, needed = 0;
    const char *numbers = std::strstr(status.error_message(), "required_chars. ");
    if (numbers != nullptr && std::sscanf(numbers, "required_chars. %d vs %d", &size, &needed) == 2) {
        return at_fail(err, ATT_OPTION,
                       "vocabulary size %d is too small: the text's characters and the special tokens are %d; raise "
                       "it, or lower the character coverage (now %g)",
                       size, needed, spec.character_coverage);
    }
    return at_fail(err, ATT_INPUT, "training the tokenizer failed: %s", status.error_message());
}

} // namespace

extern "C" at_status at_spm_open(at_spm **out, const void *bytes, size_t size, const char *name, at_error *err)
{
    *out = nullptr;
    be_silent();
    return guarded(err, name, [&] {
        std::unique_ptr<at_spm> spm(new at_spm);
        const Status status = spm->processor.LoadFromSerializedProto({static_cast<const char *>(bytes), size});
        if (!status.ok()) {
            return at_fail(err, ATT_INPUT, "%s: not a usable SentencePiece model: %s", name, status.error_message());
        }
        std::vector<std::vector<int>> segmentations;
        spm->unigram = spm->processor.NBestEncode("a", 2, &segmentations).ok(); /* other kinds refuse */
        *out = spm.release();
        return ATT_OK;
    });
}

extern "C" void at_spm_free(at_spm *spm)
{
    delete spm;
}

extern "C" int at_spm_size(const at_spm *spm)
{
    return spm->processor.GetPieceSize();
}

extern "C" at_special_ids at_spm_specials(const at_spm *spm)
{
    const auto &p = spm->processor;
    return {p.pad_id(), p.unk_id(), p.bos_id(), p.eos_id()};
}

extern "C" const char *at_spm_piece(const at_spm *spm, int32_t id)
{
    return spm->processor.IdToPiece(id).c_str();
}

extern "C" int32_t at_spm_find(const at_spm *spm, const char *piece)
{
    const int id = spm->processor.PieceToId(piece);
    return spm->processor.IdToPiece(id) == piece ? id : -1; /* the library gives an absent one the unknown id */
}

extern "C" at_status at_spm_encode(const at_spm *spm, const char *text, size_t len, at_ids *ids, at_error *err)
{
    static_assert(sizeof(int) == sizeof(int32_t), "ids are copied as they are");
    if (len > longest_text)
        return at_fail(err, ATT_INPUT, "a line of %zu bytes is too long to tokenise; split it", len);
    return guarded(err, "tokenizer", [&] {
        std::vector<int> found;
        const Status status = spm->processor.Encode({text, len}, &found);
        if (!status.ok()) return at_fail(err, ATT_INPUT, "a text can't be tokenised: %s", status.error_message());
        return at_ids_add(ids, found.data(), found.size(), err);
    });
}

extern "C" bool at_spm_is_unigram(const at_spm *spm)
{
    return spm->unigram;
}

extern "C" at_status at_spm_choose(const at_spm *spm, const char *text, size_t len, int best,
                                   at_choose_segmentation choose, void *arg, at_ids *ids, at_error *err)
{
    return guarded(err, "tokenizer", [&] {
        const auto all = spm->processor.NBestEncodeAsImmutableProto({text, len}, best);
        std::vector<double> log_probs;
        for (size_t i = 0; i < all.nbests_size(); i++) log_probs.push_back(all.nbests(static_cast<int>(i)).score());
        if (log_probs.empty()) return at_fail(err, ATT_INPUT, "a text has no segmentation");
        const auto chosen = all.nbests(static_cast<int>(choose(arg, log_probs.data(), log_probs.size())));
        for (const auto &piece : chosen.pieces())
            if (at_ids_push(ids, static_cast<int32_t>(piece.id()), err) != ATT_OK) return ATT_MEMORY;
        return ATT_OK;
    });
}

extern "C" int32_t at_spm_find_part(const at_spm *spm, const char *piece, size_t len, float *score)
{
    const int id = spm->processor.PieceToId({piece, len});
    const std::string &found = spm->processor.IdToPiece(id);
    if (found.size() != len || std::memcmp(found.data(), piece, len) != 0) return -1;
    *score = spm->processor.GetScore(id);
    return id;
}

extern "C" at_status at_spm_decode(const at_spm *spm, const char *const *pieces, size_t count, at_buf *text,
                                   at_error *err)
{
    return guarded(err, "tokenizer", [&] {
        const std::vector<std::string> list(pieces, pieces + count);
        std::string found;
        const Status status = spm->processor.Decode(list, &found);
        if (!status.ok()) return at_fail(err, ATT_INPUT, "ids can't be made text: %s", status.error_message());
        return at_buf_add(text, found.data(), found.size(), err);
    });
}

extern "C" at_status at_spm_train(const at_tokenizer_spec *spec, at_next_sentence next, void *arg, at_buf *model,
                                  at_error *err)
{
    be_silent();
    return guarded(err, "training the tokenizer", [&] {
        Sentences sentences(next, arg);
        std::string bytes;
        const Status status = sentencepiece::SentencePieceTrainer::Train(options(*spec), &sentences, &bytes);
        return status.ok() ? at_buf_add(model, bytes.data(), bytes.size(), err) : training_failed(*spec, status, err);
    });
}
