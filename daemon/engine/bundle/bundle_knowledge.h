// The records and registers that an office listed in its newest bundle. The next bundle for it is
// written from this list and leaves those out. Nothing relies on the list to be correct: a wrong
// one only costs bytes.
#pragma once

#include "daemon/engine/ledger.h"
#include "proto/summary_parts.h"

namespace fieldpost::engine {

// A larger summary is not kept. The next bundle for its writer then brings more than is needed.
inline constexpr std::size_t bundled_bytes_max = 1U << 20;

// Packs the head and the summary of a bundle into one value. `summary` is frames, each sized.
Bytes said_of(const BundleHead& head, BytesView summary);
// True if this office wrote `said` in its present incarnation. False for a bundle of another life
// of the store, and for a forged one.
bool is_said_by_us(const Ledger& ledger, BytesView said);

// Encodes the records that some files hold, as a summary in frames, each sized. The command keeps
// these bytes and hands them back.
Bytes encode_runs(const RunsByLog& runs);
// Adds the runs in `encoded`. Frames that cannot be read are left out.
void add_runs(RunsByLog& runs, BytesView encoded);

// Hashes of this office's registers. The hash of a leaf is computed once and kept.
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
    // Reads the newest bundle of `office` that was kept. Without one only the office's own
    // statement is known. An Error is the store's.
    static Result<BundleKnowledge> of(const Ledger& ledger, OfficeId office);
    // Keeps the head and summary of a bundle if they are newer than the kept ones. The caller has
    // verified both. Notes in the ledger if the writer now lacks records that it had before, or has
    // begun to carry.
    static void keep(Ledger& ledger, const BundleHead& head, BytesView summary);
    // Reads one bundle's head and summary. Knows nothing if `said` was not made by said_of().
    static BundleKnowledge after(BytesView said);

    [[nodiscard]] OfficeId office() const { return office_; }
    // The head of the bundle that this was read from.
    [[nodiscard]] const std::optional<BundleHead>& head() const { return head_; }
    // From the bundle; without one, from the office's own statement. 0: not known.
    [[nodiscard]] std::uint32_t roster_version() const { return roster_version_; }
    // True if the office accepts this record: it is a recipient or the author, or it carries.
    [[nodiscard]] bool takes(const crypto::Roster& roster, const Header& header) const;
    [[nodiscard]] IntervalSet lacks(const LogKey& log, const IntervalSet& held) const;
    // The parts that the office has of a body it has not whole yet. Null: none.
    [[nodiscard]] const PartialSummary* partial(const LogKey& log, Number number,
                                                const RecordId& id) const;
    // True if it lacks this register, and true too if its summary does not tell.
    [[nodiscard]] bool lacks_register(const Register& entry, RegisterHashes& ours) const;
    // Logs in which this office now lacks numbers that `before` had.
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

// The summary of everything that this office has, as frames, each sized.
Bytes bundled_summary(Ledger& ledger);

}  // namespace fieldpost::engine
