// An office in this process: the engine on a store, without a daemon around it. Frames are handed
// over by hand, so that the time of one side can be taken alone.
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/engine/ledger.h"
#include "daemon/home/office_home.h"
#include "tests/bench/meters.h"
#include "tests/support/network.h"

namespace fieldpost::bench {

class EngineOffice {
public:
    // On an empty store.
    EngineOffice(const tests::Network& network, const tests::Office& keys,
                 std::unique_ptr<storage::Tables> tables);
    // On a store with exactly this content.
    EngineOffice(const tests::Network& network, const tests::Office& keys,
                 std::unique_ptr<storage::Tables> tables,
                 const std::vector<storage::StoreChange>& history);
    // On the home that a daemon left. No daemon may be up on it.
    explicit EngineOffice(const home::OfficeHome& home);

    [[nodiscard]] OfficeId index() const { return engine_->ledger().us(); }
    [[nodiscard]] const engine::Ledger& ledger() const { return engine_->ledger(); }
    // Time and commits spent in batches since this office began.
    [[nodiscard]] Seconds wall() const { return wall_; }
    [[nodiscard]] Seconds cpu() const { return cpu_; }
    [[nodiscard]] std::uint64_t commits() const { return commits_; }

    // Queues the texts to each of `to` in turn. So with two recipients no two neighbours can be
    // packed.
    void queue(const std::vector<OfficeId>& to, const std::vector<std::string>& texts);
    // All inputs in one commit, as the daemon does it. Returns the frames to be sent.
    std::vector<engine::OutgoingFrame> batch(const std::vector<engine::Input>& inputs);
    // A batch without inputs, after this time has passed.
    std::vector<engine::OutgoingFrame> wait_for(std::chrono::milliseconds time);
    // True if the office has more to do at once.
    [[nodiscard]] bool is_due() const { return wake_at_ && *wake_at_ <= Instant{passed_}; }
    // Gives unused numbers back, as a clean stop does.
    void stop();

private:
    void open(const Founding& founding);
    [[nodiscard]] Now now() const;

    crypto::MachineKeys machine_;
    crypto::MailKeys mail_;
    engine::Config config_;
    std::unique_ptr<storage::RecordStore> store_;
    std::optional<engine::Engine> engine_;
    std::chrono::milliseconds passed_{0};
    std::uint64_t next_request_ = 1;
    std::optional<Instant> wake_at_;
    Seconds wall_{0};
    Seconds cpu_{0};
    std::uint64_t commits_ = 0;
};

// Links two offices and hands over frames, each side's at once, until neither has any more.
void exchange(EngineOffice& a, EngineOffice& b);
// HELLO and summaries that passed until each office knew the lack of the other.
struct Meeting {
    std::uint64_t bytes = 0;
    int flights = 0;
};
Meeting meet(EngineOffice& a, EngineOffice& b);

}  // namespace fieldpost::bench
