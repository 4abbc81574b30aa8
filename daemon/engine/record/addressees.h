// The offices that a record is for: those with a stanza of their own, and the members of the groups
// that it names.
//
// The members of a group are the offices of its role that the roster version in the header lists.
// The record's author is left out, and so are offices that have left the network since.
#pragma once

#include <optional>
#include <string_view>

#include "crypto/roster.h"
#include "proto/record.h"

namespace fieldpost::engine {

// "@all", "@field", "@relay", "@hq"; nothing for a group of a later release.
std::optional<std::string_view> name_of_group(OfficeId group);
std::optional<OfficeId> group_named(std::string_view name);
// By its role only: the office need not be a member of the network.
bool is_in_group(const crypto::RosterOffice& office, OfficeId group);

bool is_addressed_to(const crypto::Roster& roster, const Header& header, OfficeId office);
// The record is for `office` because it is a member of one of its groups.
bool is_meant_by_group(const Header& header, const crypto::RosterOffice& office);
// The record may be for offices that are not known here: it names a roster version that has not
// come yet, or a group of a later release.
bool has_unknown_addressees(const crypto::Roster& roster, const Header& header);

// Calls `fits` for one office after the other. Stops at the first office that does not fit.
template <class Fits>
bool all_of_addressees(const crypto::Roster& roster, const Header& header, const Fits& fits) {
    for (const auto& stanza : header.stanzas) {
        if (!is_group(stanza.recipient) && !fits(stanza.recipient)) {
            return false;
        }
    }
    if (!header.group_roster_version) {
        return true;
    }
    for (const auto& [index, office] : roster.offices()) {
        if (is_meant_by_group(header, office) && !header.has_stanza_for(index) && !fits(index)) {
            return false;
        }
    }
    return true;
}

}  // namespace fieldpost::engine
