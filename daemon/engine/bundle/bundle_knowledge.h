// What an office said in its newest bundle to have: for writing the next one to it exactly. Nothing
// is correct only because of it.
#pragma once

#include "daemon/engine/ledger.h"
#include "proto/summary_parts.h"

namespace fieldpost::engine {

// A summary that is larger is not kept: the next bundle brings more than it had to.
inline constexpr std::size_t bundled_bytes_max = 1U << 20;

// What a bundle says of itself, as one. `summary` is frames, each sized.
Bytes said_of(const BundleHead& head, BytesView summary);
// Whether this office said that, of what it still may sign for: neither of another life nor forged.
bool is_said_by_us(const Ledger& ledger, BytesView said);

// What some files hold, as bytes for the command, which hands it back: a summary of just that, in
// frames, each sized.
Bytes encode_runs(const RunsByLog& runs);
// Adds what it can read of it.
void add_runs(RunsByLog& runs, BytesView encoded);

// Hashes of this office's registers, each made once.
class RegisterHashes {
public:
    explicit RegisterHashes(const Ledger& ledger) : ledger_(ledger) {}
    [[nodiscard]] ShortHash of(const RegisterName& name) const {
        return ledger_.register_hash(name);
    }
    [[nodiscard]] RegisterName name_of(const Register& entry) const {
        return ledger_.name_of(entry);
    }
    const RegistersHash& of_leaf(OfficeId office);

private:
    const Ledger& ledger_;
    std::map<OfficeId, RegistersHash> leaves_;
};

class BundleKnowledge {
public:
    // Knows nothing if there was no bundle yet. An Error is the store's.
    static Result<BundleKnowledge> of(const Ledger& ledger, OfficeId office);
    // Keeps what a bundle said, if it is newer; both must have been verified. Notes in the ledger
    // if its writer lacks what it had the time before, or takes what it did not take.
    static void keep(Ledger& ledger, const BundleHead& head, BytesView summary);
    // From what one bundle said. Knows nothing if `said` is not as said_of() has it.
    static BundleKnowledge after(BytesView said);

    [[nodiscard]] OfficeId office() const { return office_; }
    // Of the bundle that said it.
    [[nodiscard]] const std::optional<BundleHead>& head() const { return head_; }
    // What it says; what its own statement says, without a bundle; 0: not known.
    [[nodiscard]] std::uint32_t roster_version() const { return roster_version_; }
    // Whether it takes this record: it is for it, or it carries.
    [[nodiscard]] bool takes(const crypto::Roster& roster, const Header& header) const;
    [[nodiscard]] IntervalSet lacks(const LogKey& log, const IntervalSet& held) const;
    // Of a body under way to it.
    [[nodiscard]] const PartialSummary* partial(const LogKey& log, Number number,
                                                const RecordId& id) const;
    // True also where that cannot be told.
    [[nodiscard]] bool lacks_register(const Register& entry, RegisterHashes& ours) const;
    // Logs of which it lacks numbers that `before` had.
    [[nodiscard]] std::vector<LogKey> with_less_than(const BundleKnowledge& before) const;

private:
    void learn(BytesView said);

    OfficeId office_{};
    std::optional<BundleHead> head_;
    bool carries_ = true;
    std::uint32_t roster_version_ = 0;
    std::map<LogKey, LogSummary> logs_;
    std::map<OfficeId, LogKey> closed_below_;
    std::map<OfficeId, LeafSummary> leaves_;
};

// What this office says to have, as frames, each sized.
Bytes bundled_summary(Ledger& ledger);

}  // namespace fieldpost::engine
