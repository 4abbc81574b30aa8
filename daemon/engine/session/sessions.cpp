#include "daemon/engine/session/sessions.h"

namespace fieldpost::engine {

Result<void> Sessions::begin(Ledger& ledger, const LinkUp& up, Now now, Consequences& out) {
    const auto known = flows_.find(up.peer);
    const auto [session, added] = sessions_.emplace(
        up.link, PeerSession(up.link, up.peer, up.policy, up.is_cautious,
                             known == flows_.end() ? Flow{} : Flow(known->second, now.steady)));
    ensure(added, "a link comes up once");
    return session->second.greet(ledger, now, out);
}

Result<void> Sessions::end(Ledger& ledger, const LinkDown& down, Now now, Consequences& out) {
    const auto found = sessions_.find(down.link);
    if (found == sessions_.end()) {
        return ok();
    }
    auto& session = found->second;
    ledger.note(What::peer_down, {.office = session.peer()}, now, out.notify);
    if (!down.offence.empty()) {
        session.offend(ledger, now, out, down.offence);
    }
    // Bodies that it brought in this batch are kept, or the next link would bring them again.
    TRY(session.finish_streams(ledger, now, out));
    if (const auto hint = session.flow().hint()) {
        flows_[session.peer()] = *hint;
    }
    sessions_.erase(found);
    return ok();
}

Result<void> Sessions::receive(Ledger& ledger, const FrameArrived& frame, Now now,
                               Consequences& out) {
    const auto found = sessions_.find(frame.link);
    if (found == sessions_.end()) {
        return ok();
    }
    auto& [link, session] = *found;
    const auto elsewhere = [&](const Header& header, const RecordId& id) {
        if (is_left_to_another(session, header, id, now)) {
            return true;
        }
        if (header.log.record_class != RecordClass::urgent) {
            for (auto& [other, slower] : sessions_) {
                if (other != link) {
                    slower.leave_to_another(ledger, id, now, out);
                }
            }
        }
        return false;
    };
    return session.receive(ledger, frame.bytes, now, elsewhere, out);
}

void Sessions::repairs(const LinkRepairs& repairs) {
    if (const auto found = sessions_.find(repairs.link); found != sessions_.end()) {
        found->second.repairs(repairs.bytes);
    }
}

// A body comes from one source at a time, except an urgent one. The author takes over from any
// source. So does a source that would bring the body twice as fast. Otherwise a member could keep a
// body from coming by bringing it byte by byte.
bool Sessions::is_left_to_another(const PeerSession& session, const Header& header,
                                  const RecordId& id, Now now) const {
    if (header.log.record_class == RecordClass::urgent || session.peer() == header.log.author) {
        return false;
    }
    const auto could_bring = session.arrival_rate().when_it_came();
    return std::ranges::any_of(sessions_, [&](const auto& entry) {
        const auto& other = entry.second;
        return &other != &session && other.bodies().is_bringing(id) &&
               !other.bodies().is_slow_with(id, could_bring, now);
    });
}

void Sessions::let_time_pass(Now now) {
    for (auto& [link, session] : sessions_) {
        session.let_time_pass(now);
    }
}

Result<bool> Sessions::keep_whole_streams(Ledger& ledger, Now now, Consequences& out) {
    bool any = false;
    for (auto& [link, session] : sessions_) {
        any = TRY(session.finish_streams(ledger, now, out)) || any;
    }
    return any;
}

void Sessions::tell(Ledger& ledger, const Ledger::News& news, Now now, Consequences& out) {
    for (auto& [link, session] : sessions_) {
        session.tell(ledger, now, news, out);
    }
}

void Sessions::close_links_to_closed(const Ledger& ledger, Consequences& out) const {
    for (const auto& [link, session] : sessions_) {
        if (!ledger.is_partner(session.peer())) {
            out.notify.emplace_back(CloseLink{
                link, ledger.peer(session.peer()).blocked ? "blocked here" : "no member any more"});
        }
    }
}

void Sessions::close_all(Consequences& out) const {
    for (const auto& [link, session] : sessions_) {
        out.notify.emplace_back(CloseLink{link, "begins anew"});
    }
}

std::map<LogKey, Number> Sessions::to_publish(const Ledger& ledger) const {
    std::map<LogKey, Number> wanted;
    for (const auto& [link, session] : sessions_) {
        for (const auto& [log, number] : session.to_publish(ledger)) {
            wanted[log] = std::max(wanted[log], number);
        }
    }
    return wanted;
}

Result<std::optional<Instant>> Sessions::pump(Ledger& ledger, const Ledger::News& news, Now now,
                                              Consequences& out) {
    std::optional<Instant> wake_at;
    for (auto& [link, session] : sessions_) {
        const auto elsewhere = [&](const Header& header, const RecordId& id) {
            return is_left_to_another(session, header, id, now);
        };
        session.tell(ledger, now, news, out);
        session.want_again(ledger, elsewhere, now, out);
        TRY(session.pump(ledger, now, out));
        if (const auto use = session.take_use()) {
            out.notify.emplace_back(*use);
        }
        const auto at = session.wake_at();
        wake_at = at && (!wake_at || *at < *wake_at) ? at : wake_at;
    }
    return wake_at;
}

std::vector<LinkView> Sessions::views() const {
    std::vector<LinkView> all;
    all.reserve(sessions_.size());
    for (const auto& [link, session] : sessions_) {
        all.push_back(session.view());
    }
    return all;
}

}  // namespace fieldpost::engine
