// Takes in one bundle, frame by frame, as if a hostile peer had sent it: nothing of it is believed
// but what is signed, and nothing can be asked.
//
// Each frame is one input, so that what one wrote can be read by the next.
#pragma once

#include <string>

#include "daemon/engine/record/arriving_body.h"

namespace fieldpost::engine {

class BundleIntake {
public:
    // An Error is the store's.
    Result<void> take(Ledger& ledger, BytesView frame, Now now, std::vector<Notice>& notify);
    // At the end of a batch. True if anything was kept.
    Result<bool> finish_bodies(Ledger& ledger, Now now, std::vector<Notice>& notify);
    // All was read.
    void end(Ledger& ledger);

    [[nodiscard]] const BundleReport& report() const { return report_; }

private:
    [[nodiscard]] Via via() const { return {writer_, How::bundle}; }
    // One for each frame that a bundle may hold.
    struct Step {
        Ledger& ledger;
        BytesView bytes;  // of the frame
        Now now;
        std::vector<Notice>& notify;
    };
    Result<void> on(const Step& step, const RosterNews& news);
    Result<void> on(const Step& step, const BundleHead& head);
    Result<void> on(const Step& step, const Summary& summary);
    Result<void> on(const Step& step, const RegisterNews& news);
    Result<void> on(const Step& step, const Custody& custody);
    Result<void> on(const Step& step, const RecordNews& news);
    Result<void> on(const Step& step, const StreamOpened& opened);
    Result<void> on(const Step& step, const Chunk& chunk);
    void judged(Ledger& ledger, const Arriving& record, Verdict verdict, Now now,
                std::vector<Notice>& notify);
    // True: what follows of its body may count.
    Result<bool> measure(const Ledger& ledger, const Arriving& record, Verdict verdict);
    // The next of a body that is here already.
    Result<void> compare(const Ledger& ledger, const Chunk& chunk);
    void reject(std::uint64_t reports, const std::string& why);

    BundleReport report_;
    OfficeId writer_ = no_office;
    RecordId last_judged_;
    std::optional<BundleHead> head_;
    // What it says to have, so far: frames, each sized.
    ByteWriter summary_;
    bool is_summary_whole_ = false;
    std::map<std::uint32_t, RecordId> streams_;
    std::map<RecordId, ArrivingBody> bodies_;
    // Up to where a large body is in this file, whole and in order.
    struct Extent {
        LogKey log;
        Interval run;
        BodyShape shape;
        std::optional<storage::Blob> held{};  // before this file came
        std::uint32_t part = 1;
        std::size_t offset = 0;

        [[nodiscard]] bool is_at(const Chunk& chunk) const {
            return chunk.part == part && chunk.offset == offset;
        }
        void advance(std::size_t bytes);
    };
    std::map<RecordId, Extent> extents_;
    RunsByLog holds_;
};

}  // namespace fieldpost::engine
