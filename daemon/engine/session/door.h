// The one door for a key that may not come in. One that the roster does not know may show us a
// roster newer than ours, and do nothing else; so an old roster at a relay never locks out a valid
// member, and a stranger never makes us store anything. One that the roster has shut out is sent
// the roster up to the change that did it, so that its people hear of it, and nothing after that.
//
// A stranger is told nothing, not even why it has to go. If it comes with an invitation that was
// used or replaced, people here are told (attention): its own people see only that nobody lets it
// in. The office that used the invitation comes so itself until it hears of its admission, at most
// a few times: it tries its own key in turn. Another machine comes again and again.
#pragma once

#include <map>
#include <set>

#include "daemon/engine/ledger.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

class Door {
public:
    void open(const Ledger& ledger, LinkId link, const BoxPublic& key, Now now);
    // A link that was let in: a member comes by no other key than its own.
    void let_in(const Ledger& ledger, OfficeId office);
    void close(LinkId link) { strangers_.erase(link); }
    [[nodiscard]] bool is_at(LinkId link) const { return strangers_.contains(link); }
    // CloseLink follows as soon as nothing more is to be had of it; it is a member or an invitee by
    // then, or it is not.
    void receive(Ledger& ledger, LinkId link, BytesView bytes, Now now, Consequences& out);
    // Closes the links of strangers that have shown nothing new for too long.
    void close_late(Now now, std::vector<Notice>& notify);
    [[nodiscard]] std::optional<Instant> wake_at() const;

private:
    struct Stranger {
        BoxPublic key;
        Instant until{};
        std::size_t received_bytes = 0;
        std::uint32_t shut_out_by = 0;  // a version of the roster; 0: a key that is not known
    };
    void receive_of_shut_out(const Ledger& ledger, LinkId link, const Frame& frame,
                             Consequences& out);
    void turn_away(LinkId link, std::string reason, std::vector<Notice>& notify);
    // By an invitation that was used, while the office that used it may not know of that yet.
    struct Visits {
        unsigned times = 0;
        Instant first{};
    };
    bool comes_too_often(OfficeId office, Now now);
    void note_old_invitation(Ledger& ledger, const BoxPublic& key, Now now,
                             std::vector<Notice>& notify);

    std::map<LinkId, Stranger> strangers_;
    // Members that know of their admission, since this daemon started.
    std::set<OfficeId> came_as_members_;
    std::map<OfficeId, Visits> visits_;
    // The last time that people were told of each office's old invitation: a machine that is not
    // let in comes again and again.
    std::map<OfficeId, Instant> said_;
};

}  // namespace fieldpost::engine
