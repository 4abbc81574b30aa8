#include "daemon/engine/session/door.h"

#include <functional>

#include "daemon/engine/membership/roster_news.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// From its first frame, and again from each that brought our roster on.
constexpr std::chrono::milliseconds stranger_patience = std::chrono::seconds{10};
// The office itself dials again after a second, under its own key; a few addresses of ours at once,
// or chance, may let it come by the invitation more than once.
constexpr unsigned visits_of_another = 8;
constexpr std::chrono::milliseconds visits_last = std::chrono::minutes{1};
constexpr std::chrono::milliseconds say_again_after = std::chrono::hours{1};

// The version of the first change of the roster with such a statement; 0: there is none.
std::uint32_t version_with(const Ledger& ledger,
                           const std::function<bool(const RosterStatement&)>& is_it) {
    for (const auto& change : ledger.roster_changes()) {
        if (std::ranges::any_of(change.statements, is_it)) {
            return change.version;
        }
    }
    return 0;
}

std::uint32_t admitted_by(const Ledger& ledger, OfficeId office) {
    return version_with(ledger, [&](const RosterStatement& statement) {
        const auto* admit = std::get_if<Admit>(&statement);
        return admit != nullptr && admit->index == office;
    });
}

// An office that is retiring is a member still. Its second statement ends that.
std::uint32_t ended_by(const Ledger& ledger, OfficeId office) {
    return version_with(ledger, [&](const RosterStatement& statement) {
        const auto* revoke = std::get_if<Revoke>(&statement);
        const auto* retire = std::get_if<Retire>(&statement);
        return (revoke != nullptr && revoke->index == office) ||
               (retire != nullptr && retire->index == office && retire->closed);
    });
}

// The roster that shut out whoever has this key; 0: none has.
std::uint32_t shut_out_by(const Ledger& ledger, const BoxPublic& key) {
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (office.link == key && office.has_keys() && !office.is_member()) {
            return ended_by(ledger, index);
        }
    }
    return 0;
}

}  // namespace

void Door::open(const Ledger& ledger, LinkId link, const BoxPublic& key, Now now) {
    strangers_[link] = {key, now.steady + stranger_patience, 0, shut_out_by(ledger, key)};
}

void Door::let_in(const Ledger& ledger, OfficeId office) {
    const auto* found = ledger.roster().find(office);
    if (found != nullptr && found->is_member()) {
        came_as_members_.insert(office);
    }
}

void Door::turn_away(LinkId link, std::string reason, std::vector<Notice>& notify) {
    strangers_.erase(link);
    notify.emplace_back(CloseLink{link, std::move(reason)});
}

bool Door::comes_too_often(OfficeId office, Now now) {
    auto& visits = visits_.try_emplace(office, Visits{0, now.steady}).first->second;
    return ++visits.times >= visits_of_another && now.steady - visits.first >= visits_last;
}

void Door::note_old_invitation(Ledger& ledger, const BoxPublic& key, Now now,
                               std::vector<Notice>& notify) {
    const auto& offices = ledger.roster().offices();
    const auto found = std::ranges::find_if(
        offices, [&](const auto& entry) { return entry.second.one_time_box == key; });
    if (found == offices.end() || key == BoxPublic{}) {
        return;
    }
    const auto& [index, office] = *found;
    // An office that was admitted while it was away comes so once more, until it hears of it.
    const auto* statement = ledger.statement(index);
    const bool knows =
        came_as_members_.contains(index) ||
        (statement != nullptr && statement->roster_version >= admitted_by(ledger, index));
    const bool is_used = office.is_member() && (knows || comes_too_often(index, now));
    const bool is_replaced = office.state == crypto::OfficeState::cancelled;
    const auto said = said_.find(index);
    if ((is_used || is_replaced) &&
        (said == said_.end() || said->second + say_again_after <= now.steady)) {
        said_[index] = now.steady;
        ledger.note(What::invitation_reused, {.office = index}, now, notify);
    }
}

// It is told once, and its link ends when its time is over, so that what was sent gets there.
void Door::receive_of_shut_out(const Ledger& ledger, LinkId link, const Frame& frame,
                               Consequences& out) {
    auto& stranger = strangers_.at(link);
    const auto last = std::exchange(stranger.shut_out_by, 0);
    const auto* hello = std::get_if<Hello>(&frame);
    if (hello == nullptr || hello->roster_version >= last) {
        turn_away(link, "an office that the roster has shut out", out.notify);
        return;
    }
    std::size_t sent = 0;
    for (const auto& news : roster_news(ledger, hello->roster_version, last, shown_frame_bytes)) {
        auto bytes = encode_frame(news);
        sent += bytes.size();
        if (sent > limits::roster_continuation_bytes_max) {
            return;  // it goes on from there when it comes again
        }
        out.send.push_back({link, std::move(bytes)});
    }
}

void Door::receive(Ledger& ledger, LinkId link, BytesView bytes, Now now, Consequences& out) {
    auto& notify = out.notify;
    auto& stranger = strangers_.at(link);
    stranger.received_bytes += bytes.size();
    const auto frame = decode_frame(bytes);
    if (!frame || stranger.received_bytes > limits::roster_continuation_bytes_max) {
        turn_away(link, "a stranger sent what it may not", notify);
        return;
    }
    if (stranger.shut_out_by != 0) {
        receive_of_shut_out(ledger, link, *frame, out);
        return;
    }
    if (const auto* hello = std::get_if<Hello>(&*frame)) {
        if (hello->roster_version <= ledger.roster().version()) {
            note_old_invitation(ledger, stranger.key, now, notify);
            turn_away(link, "a stranger whose roster is no newer than ours", notify);
        }
        return;
    }
    const auto* news = std::get_if<RosterNews>(&*frame);
    if (news == nullptr) {
        turn_away(link, "a stranger sent what it may not", notify);
        return;
    }
    const auto version = ledger.roster().version();
    if (const auto taken = take_roster(ledger, *news, {ledger.us(), How::link}, now, notify);
        !taken) {
        turn_away(link, "a stranger's roster: " + taken.error().detail, notify);
        return;
    }
    if (ledger.roster().office_of_link(stranger.key)) {
        turn_away(link, "a stranger no more: it may dial again", notify);
    } else if (ledger.roster().version() > version) {
        stranger.until = now.steady + stranger_patience;
    }
}

void Door::close_late(Now now, std::vector<Notice>& notify) {
    for (const auto& [link, stranger] : std::map(strangers_)) {
        if (stranger.until <= now.steady) {
            turn_away(link, "a stranger with nothing to show", notify);
        }
    }
}

std::optional<Instant> Door::wake_at() const {
    const auto first = std::ranges::min_element(
        strangers_, {}, [](const auto& entry) { return entry.second.until; });
    return first == strangers_.end() ? std::nullopt : std::optional(first->second.until);
}

}  // namespace fieldpost::engine
