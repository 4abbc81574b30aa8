#include "daemon/engine/session/register_queue.h"

#include "daemon/engine/record/record_frames.h"
#include "daemon/engine/registers.h"

namespace fieldpost::engine {

namespace {

// A newer version of a register of another office goes over a link this much later at the earliest.
constexpr std::chrono::milliseconds pass_on_interval = std::chrono::minutes{1};

bool is_receipt(const RegisterKey& key) {
    return key.kind == static_cast<std::uint8_t>(RegisterKind::receipt);
}

bool is_receipt_about(OfficeId author, const RegisterKey& key) {
    const auto subject = read_receipt_subject(key.subject);
    return is_receipt(key) && subject && *subject == author;
}

// One of the two ends signed it, or it is a receipt about records of the peer.
bool is_of_this_pair(const Step& step, const RegisterKey& key) {
    return key.signer == step.ledger.us() || is_receipt_about(step.peer, key);
}

}  // namespace

void RegisterQueue::peer_told(const RegisterName& name, const ShortHash& hash) {
    waiting_.erase(name);
    just_told_.insert_or_assign(name, hash);
}

void RegisterQueue::add(const Ledger& ledger, const std::set<RegisterName>& news) {
    for (const auto& name : news) {
        const auto told = just_told_.find(name);
        // By content: two of one version are possible, and the greater hash wins.
        if (told == just_told_.end() || ledger.register_hash(name) != told->second) {
            waiting_.insert(name);
        }
    }
    just_told_.clear();
}

void RegisterQueue::send_own(const Step& step) {
    const auto& ledger = step.ledger;
    const auto& frames = step.frames;
    RegisterPacker packer;
    const auto* us = ledger.roster().find(ledger.us());
    const bool is_member = us != nullptr && us->is_member();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto& key = at->key;
        // Before it is admitted an office can only ask to be.
        const bool must_wait = key.signer == ledger.us() && !is_member &&
                               key.kind != static_cast<std::uint8_t>(RegisterKind::enrolment);
        // Receipts for something urgent also go over a link that passes urgent records only.
        const bool is_for_peer = key.signer == ledger.us() && is_receipt_about(step.peer, key);
        if (must_wait || !is_of_this_pair(step, key) ||
            (frames.passes_only_urgent() && !is_for_peer)) {
            ++at;
            continue;
        }
        if (!frames.may_send(frames.passes_only_urgent() ? RecordClass::urgent
                                                         : RecordClass::normal)) {
            break;
        }
        if (const auto* entry = ledger.kept(*at)) {
            packer.add(*entry);
        }
        at = waiting_.erase(at);
        if (packer.bytes() > frames.frame_bytes()) {
            step.send(packer.take());
        }
    }
    if (!packer.is_empty()) {
        step.send(packer.take());
    }
}

void RegisterQueue::pass_on(const Step& step) {
    const auto& ledger = step.ledger;
    const auto now = step.now.steady;
    passes_on_at_.reset();
    std::erase_if(passed_on_at_,
                  [&](const auto& entry) { return entry.second + pass_on_interval <= now; });
    std::map<OfficeId, std::deque<std::set<RegisterName>::iterator>> by_signer;
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
        if (is_of_this_pair(step, at->key)) {
            continue;
        }
        if (const auto before = passed_on_at_.find(*at); before != passed_on_at_.end()) {
            const auto free_at = before->second + pass_on_interval;
            passes_on_at_ = std::min(passes_on_at_.value_or(free_at), free_at);
        } else {
            by_signer[at->key.signer].push_back(at);
        }
    }
    RegisterPacker packer;
    while (!by_signer.empty() && packer.bytes() <= step.frames.frame_bytes()) {
        auto turn = by_signer.upper_bound(last_passed_on_);
        turn = turn == by_signer.end() ? by_signer.begin() : turn;
        last_passed_on_ = turn->first;
        const auto at = turn->second.front();
        turn->second.pop_front();
        if (turn->second.empty()) {
            by_signer.erase(turn);
        }
        if (const auto* entry = ledger.kept(*at)) {
            packer.add(*entry);
            passed_on_at_.insert_or_assign(*at, now);
        }
        waiting_.erase(at);
    }
    if (!packer.is_empty()) {
        step.send(packer.take());
    }
}

}  // namespace fieldpost::engine
