#include "tests/bench/engine_office.h"

#include <algorithm>

#include "daemon/engine/membership/founding.h"
#include "proto/link_message.h"
#include "storage/lmdb_tables.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;

// Nothing here may fail: the stores are fresh, and the disk has room.
template <class T>
T must(Result<T> result) {
    if (!result) {
        ensure(false, result.error().detail.c_str());
    }
    return std::move(*result);
}
void must(const Result<void>& result) {
    if (!result) {
        ensure(false, result.error().detail.c_str());
    }
}

crypto::MailKeys copy_of(const crypto::MailKeys& keys) {
    crypto::MailKeys copy{crypto::SigningKey::from_seed(keys.signing.seed().duplicate()),
                          crypto::BoxKeyPair::from_secret(keys.archive.secret.duplicate()),
                          {},
                          std::nullopt};
    for (const auto& [epoch, pair] : keys.prekeys) {
        copy.prekeys.emplace(epoch, crypto::BoxKeyPair::from_secret(pair.secret.duplicate()));
    }
    return copy;
}

crypto::MachineKeys copy_of(const crypto::MachineKeys& keys) {
    return {crypto::SigningKey::from_seed(keys.identity.seed().duplicate()),
            crypto::BoxKeyPair::from_secret(keys.link.secret.duplicate()),
            keys.store_key.duplicate(), keys.founding_key.duplicate()};
}

std::vector<engine::Input> arrived(engine::LinkId link, std::vector<engine::OutgoingFrame> frames) {
    std::vector<engine::Input> inputs;
    for (auto& frame : frames) {
        inputs.emplace_back(engine::FrameArrived{link, std::move(frame.bytes)});
    }
    return inputs;
}

engine::LinkId next_link() {
    static std::uint64_t last_link = 0;
    return engine::LinkId{++last_link};
}

// Bytes of the frames by which two offices compare what they have.
std::uint64_t comparing_bytes(const std::vector<engine::OutgoingFrame>& frames) {
    std::uint64_t bytes = 0;
    for (const auto& frame : frames) {
        const auto all = must(frames_of(frame.bytes));
        for (const auto one : all) {
            const auto decoded = must(decode_frame(one));
            if (std::holds_alternative<Hello>(decoded) ||
                std::holds_alternative<Summary>(decoded) ||
                std::holds_alternative<LeafFingerprints>(decoded)) {
                bytes += one.size();
            }
        }
    }
    return bytes;
}

}  // namespace

EngineOffice::EngineOffice(const tests::Network& network, const tests::Office& keys,
                           std::unique_ptr<storage::Tables> tables)
    : EngineOffice(network, keys, std::move(tables), {}) {}

EngineOffice::EngineOffice(const tests::Network& network, const tests::Office& keys,
                           std::unique_ptr<storage::Tables> tables,
                           const std::vector<storage::StoreChange>& history)
    : machine_(copy_of(keys.machine)),
      mail_(copy_of(keys.mail)),
      store_(must(storage::RecordStore::open(std::move(tables), machine_.store_key.duplicate()))) {
    must(store_->begin());
    for (const auto& change :
         engine::founding_changes(network.id(), keys.index, Incarnation{1, value_of(keys.index)},
                                  tests::founded_at, network.changes, {})) {
        must(store_->apply(change));
    }
    for (const auto& change : history) {
        must(store_->apply(change));
    }
    must(store_->commit());
    open(network.roster.founding());
}

EngineOffice::EngineOffice(const home::OfficeHome& home)
    : machine_(must(home.machine_keys())),
      mail_(must(home.mail_keys())),
      store_(must(storage::RecordStore::open(must(storage::open_lmdb_tables(home.store(), {})),
                                             machine_.store_key.duplicate()))) {
    open(must(home.founding()));
}

void EngineOffice::open(const Founding& founding) {
    config_.machine = &machine_;
    config_.mail = &mail_;
    config_.software = "benchmark";
    engine_.emplace(must(engine::Engine::load(*store_, config_, founding, now())));
    batch({engine::TimerFired{}});
}

Now EngineOffice::now() const {
    const auto wall = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch() + passed_);
    return {Instant{passed_}, WallTime::from_unix(wall.count())};
}

void EngineOffice::queue(const std::vector<OfficeId>& to, const std::vector<std::string>& texts) {
    std::vector<engine::Input> inputs;
    for (const auto& text : texts) {
        engine::Submitted submitted{next_request_++, {}};
        submitted.draft.to = {to[inputs.size() % to.size()]};
        submitted.draft.report.text = text;
        inputs.emplace_back(std::move(submitted));
    }
    batch(inputs);
}

std::vector<engine::OutgoingFrame> EngineOffice::batch(const std::vector<engine::Input>& inputs) {
    const Stopwatch watch;
    const auto cpu_before = cpu_here();
    auto done = must(engine_->run_batch(inputs, [this] { return now(); }));
    wake_at_ = done.wake_at;
    for (const auto& notice : done.notify) {
        if (const auto* declined = std::get_if<engine::Declined>(&notice)) {
            ensure(false, declined->error.detail.c_str());
        }
        if (const auto* close = std::get_if<engine::CloseLink>(&notice)) {
            ensure(false, close->reason.c_str());
        }
    }
    wall_ += watch.passed();
    cpu_ += cpu_here() - cpu_before;
    ++commits_;
    return std::move(done.send);
}

std::vector<engine::OutgoingFrame> EngineOffice::wait_for(std::chrono::milliseconds time) {
    passed_ += time;
    return batch({engine::TimerFired{}});
}

void EngineOffice::stop() {
    batch({engine::Stopping{}});
}

void exchange(EngineOffice& a, EngineOffice& b) {
    const auto link = next_link();
    auto to_b = a.batch({engine::LinkUp{link, b.index()}});
    auto to_a = b.batch({engine::LinkUp{link, a.index()}});
    // Receipts and custody may come a second later.
    for (int waited = 0; waited < 3;) {
        if (to_a.empty() && to_b.empty()) {
            ++waited;
            to_b = a.wait_for(1s);
            to_a = b.wait_for(1s);
        }
        if (!to_b.empty()) {
            std::ranges::move(b.batch(arrived(link, std::exchange(to_b, {}))),
                              std::back_inserter(to_a));
        }
        if (!to_a.empty()) {
            std::ranges::move(a.batch(arrived(link, std::exchange(to_a, {}))),
                              std::back_inserter(to_b));
        }
        while (a.is_due()) {
            std::ranges::move(a.wait_for(0s), std::back_inserter(to_b));
        }
        while (b.is_due()) {
            std::ranges::move(b.wait_for(0s), std::back_inserter(to_a));
        }
    }
    a.batch({engine::LinkDown{link}});
    b.batch({engine::LinkDown{link}});
}

Meeting meet(EngineOffice& a, EngineOffice& b) {
    const auto link = next_link();
    auto to_b = a.batch({engine::LinkUp{link, b.index()}});
    auto to_a = b.batch({engine::LinkUp{link, a.index()}});
    Meeting meeting;
    while (!to_a.empty() || !to_b.empty()) {
        const auto bytes = comparing_bytes(to_a) + comparing_bytes(to_b);
        meeting.bytes += bytes;
        meeting.flights += bytes != 0 ? 1 : 0;
        auto at_b = arrived(link, std::exchange(to_b, {}));
        auto at_a = arrived(link, std::exchange(to_a, {}));
        to_a = b.batch(at_b);
        to_b = a.batch(at_a);
    }
    a.batch({engine::LinkDown{link}});
    b.batch({engine::LinkDown{link}});
    return meeting;
}

}  // namespace fieldpost::bench
