#include "daemon/engine/membership/forks.h"

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/stored_body.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

constexpr auto fork_kind = static_cast<std::uint8_t>(RegisterKind::fork);

// Drops everything of an office with too many forks but its proofs, one for each incarnation.
Result<void> close_whole(Ledger& ledger, OfficeId office) {
    std::vector<RegisterKey> needless;
    std::optional<Incarnation> last;
    for (const auto* entry : ledger.registers_of(office)) {
        const bool is_fork = entry->key.kind == fork_kind;
        if (is_fork && entry->version.incarnation != last) {
            last = entry->version.incarnation;
        } else {
            needless.push_back(entry->key);
        }
    }
    for (const auto& key : needless) {
        ledger.drop_register(key);
    }
    std::vector<LogKey> logs;
    for (const auto& [log, state] : ledger.logs_of(office)) {
        logs.push_back(log);
    }
    for (const auto& log : logs) {
        if (office != ledger.us()) {
            TRY(make_terminal(ledger, log, {{1, UINT32_MAX}}));
            ledger.drop_log(log);
        }
    }
    return ok();
}

}  // namespace

Result<RecordProof> proof_of(const Ledger& ledger, const storage::StoredRecord& record) {
    const auto header = TRY(decode_header(record.header));
    RecordProof proof;
    proof.key = key_part_of(header);
    proof.header_rest = crypto::header_rest_hash(ledger.network(), record.header);
    proof.body = TRY(body_hash_of(ledger, record, BodyShape{header.body_bytes}));
    proof.signature = record.signature;
    return proof;
}

Result<bool> take_fork(Ledger& ledger, const Register& entry, Via from, Now now,
                       std::vector<Notice>& notify) {
    const auto accused = entry.key.signer;
    const auto* identity = ledger.identity_of(accused);
    if (identity == nullptr) {
        return fail(Errc::untrusted, "fork: of an office that nobody knows");
    }
    // A thief could sign two records under any old number: the cut-off alone says what counts.
    if (ledger.is_closed(accused) || (ledger.is_cut_off(accused) && accused != ledger.us())) {
        return false;
    }
    TRY(crypto::verify_fork(*identity, ledger.network(), entry));
    if (!ledger.keep_register(entry)) {
        return false;
    }
    ByteReader in(entry.payload);
    const auto log = TRY(read_record_proof(in)).key.log;
    ledger.note(What::fork, {.office = accused, .via = from}, now, notify);
    if (accused == ledger.us() && log.incarnation >= ledger.meta().incarnation) {
        stop_writing(ledger, from, std::nullopt, log.incarnation, now, notify);
    }
    if (ledger.is_closed(accused)) {
        TRY(close_whole(ledger, accused));
    } else if (TRY(make_room_for(ledger, log))) {
        TRY(close_log(ledger, log, fork_start(entry).value_or(1)));
    }
    return true;
}

Result<void> accuse(Ledger& ledger, const RecordProof& one, const RecordProof& other, Via from,
                    Now now, std::vector<Notice>& notify) {
    const auto entry = crypto::make_fork(ledger.network(), one, other);
    const auto taken = take_fork(ledger, entry, from, now, notify);
    // A stored record that was never signed proves nothing. That is no fault of the store.
    return taken || taken.error().code == Errc::untrusted || taken.error().code == Errc::malformed
               ? ok()
               : Result<void>(std::unexpected(taken.error()));
}

}  // namespace fieldpost::engine
