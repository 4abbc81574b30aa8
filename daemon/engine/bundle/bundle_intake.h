// Takes in one bundle, frame by frame, as if a hostile peer had sent it. Only signed statements are
// believed, and the writer cannot be asked.
//
// Each frame is one input, so each frame can read what the frame before it wrote.
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
    // The whole file was read.
    void end(Ledger& ledger);

    [[nodiscard]] const BundleReport& report() const { return report_; }

private:
    [[nodiscard]] Via via() const { return {writer_, How::bundle}; }
    // The arguments of on(); there is one on() for each type of frame that a bundle may hold.
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
    // Notes that this file holds the record. True if the record is signed by its author, so the
    // chunks that follow are worth comparing.
    Result<bool> measure(const Ledger& ledger, const Arriving& record, Verdict verdict);
    // Compares the next chunk of a body that is already here.
    Result<void> compare(const Ledger& ledger, const Chunk& chunk);
    void reject(std::uint64_t reports, const std::string& why);

    BundleReport report_;
    OfficeId writer_ = no_office;
    RecordId last_judged_;
    std::optional<BundleHead> head_;
    // The writer's summary as read so far: frames, each sized.
    ByteWriter summary_;
    bool is_summary_whole_ = false;
    std::map<std::uint32_t, RecordId> streams_;
    std::map<RecordId, ArrivingBody> bodies_;
    // How far a large body stands in this file, in order and without a gap.
    struct Extent {
        LogKey log;
        Interval run;
        BodyShape shape;
        std::optional<storage::Blob> held{};  // here before this file came
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
