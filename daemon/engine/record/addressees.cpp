#include "daemon/engine/record/addressees.h"

#include <array>

namespace fieldpost::engine {

namespace {

constexpr std::array<std::string_view, 1 + roles> group_names = {"@all", "@field", "@relay", "@hq"};

}  // namespace

std::optional<std::string_view> name_of_group(OfficeId group) {
    return is_known_group(group)
               ? std::optional(group_names[value_of(group) - value_of(group_base)])
               : std::nullopt;
}

std::optional<OfficeId> group_named(std::string_view name) {
    const auto found = std::ranges::find(group_names, name);
    return found == group_names.end() ? std::nullopt
                                      : std::optional(OfficeId{static_cast<std::uint16_t>(
                                            value_of(group_base) + (found - group_names.begin()))});
}

bool is_in_group(const crypto::RosterOffice& office, OfficeId group) {
    return group == group_of_all || group == group_of(office.role);
}

bool is_meant_by_group(const Header& header, const crypto::RosterOffice& office) {
    return header.group_roster_version && office.is_member() &&
           office.admitted_in <= *header.group_roster_version &&
           office.index != header.log.author &&
           std::ranges::any_of(header.stanzas, [&](const Stanza& stanza) {
               return is_in_group(office, stanza.recipient);
           });
}

bool is_addressed_to(const crypto::Roster& roster, const Header& header, OfficeId office) {
    if (header.has_stanza_for(office)) {
        return true;
    }
    const auto* entry = header.group_roster_version ? roster.find(office) : nullptr;
    return entry != nullptr && is_meant_by_group(header, *entry);
}

bool has_unknown_addressees(const crypto::Roster& roster, const Header& header) {
    return header.group_roster_version.value_or(0) > roster.version() ||
           std::ranges::any_of(header.stanzas, [](const Stanza& stanza) {
               return is_group(stanza.recipient) && !is_known_group(stanza.recipient);
           });
}

}  // namespace fieldpost::engine
