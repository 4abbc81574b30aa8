// An office in this process: the engine on a store, without a daemon around it. Frames are handed
// over by hand, so that the time of one side can be taken alone.
#pragma once

#include "crypto/office_home.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/ledger.h"
#include "tests/bench/meters.h"
#include "tests/support/network.h"

namespace fieldpost::bench {

class EngineOffice {
public:
    // On an empty store.
    EngineOffice(const tests::Network& network, const tests::Office& keys,
                 std::unique_ptr<storage::Tables> tables);
    // On a store of which this is all.
    EngineOffice(const tests::Network& network, const tests::Office& keys,
                 std::unique_ptr<storage::Tables> tables,
                 const std::vector<storage::StoreChange>& history);
    // On the home that a daemon left. No daemon may be up on it.
    explicit EngineOffice(const crypto::OfficeHome& home);

    [[nodiscard]] OfficeId index() const { return engine_->ledger().us(); }
    [[nodiscard]] const engine::Ledger& ledger() const { return engine_->ledger(); }
    // What has been spent in batches since this office began.
    [[nodiscard]] Seconds wall() const { return wall_; }
    [[nodiscard]] Seconds cpu() const { return cpu_; }
    [[nodiscard]] std::uint64_t commits() const { return commits_; }

    // To each of `to` in turn, so that with two no two neighbours can be packed.
    void queue(const std::vector<OfficeId>& to, const std::vector<std::string>& texts);
    // All inputs in one commit, as the daemon does it. What is to be sent is returned.
    std::vector<engine::OutgoingFrame> batch(const std::vector<engine::Input>& inputs);
    // As after a while.
    std::vector<engine::OutgoingFrame> wait_for(std::chrono::milliseconds time);
    // It has more to do at once.
    [[nodiscard]] bool is_due() const { return wake_at_ && *wake_at_ <= Instant{passed_}; }
    // Gives numbers that were not used back, as a clean stop does.
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
// What passed until each knew what the other lacks, of HELLO and summaries.
struct Meeting {
    std::uint64_t bytes = 0;
    int flights = 0;
};
Meeting meet(EngineOffice& a, EngineOffice& b);

}  // namespace fieldpost::bench
