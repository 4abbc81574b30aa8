#include "daemon/home/group_access.h"

#include <acl/libacl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/acl.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace fieldpost::home {

namespace {

struct Free {
    void operator()(void* one) const { ::acl_free(one); }
};
using List = std::unique_ptr<std::remove_pointer_t<acl_t>, Free>;

// The entry of the group; it is made if there is none.
acl_entry_t entry_of(acl_t& list, gid_t group) {
    acl_entry_t entry = nullptr;
    for (int which = ACL_FIRST_ENTRY; ::acl_get_entry(list, which, &entry) == 1;
         which = ACL_NEXT_ENTRY) {
        acl_tag_t tag = ACL_UNDEFINED_TAG;
        ::acl_get_tag_type(entry, &tag);
        const std::unique_ptr<void, Free> id(tag == ACL_GROUP ? ::acl_get_qualifier(entry)
                                                              : nullptr);
        if (id && *static_cast<gid_t*>(id.get()) == group) {
            return entry;
        }
    }
    const bool is_made = ::acl_create_entry(&list, &entry) == 0 &&
                         ::acl_set_tag_type(entry, ACL_GROUP) == 0 &&
                         ::acl_set_qualifier(entry, &group) == 0;
    return is_made ? entry : nullptr;
}

bool grant_in(acl_t& list, gid_t group, Access access) {
    const auto entry = entry_of(list, group);
    acl_permset_t rights = nullptr;
    if (entry == nullptr || ::acl_get_permset(entry, &rights) != 0 ||
        ::acl_clear_perms(rights) != 0) {
        return false;
    }
    const auto add = [&](acl_perm_t right) { return ::acl_add_perm(rights, right) == 0; };
    const bool is_set =
        access == Access::pass_through ? add(ACL_EXECUTE) : add(ACL_READ) && add(ACL_WRITE);
    return is_set && ::acl_calc_mask(&list) == 0;
}

}  // namespace

std::optional<gid_t> group_id(const std::string& name) {
    std::vector<char> names(std::size_t{1} << 16);
    group found{};
    group* result = nullptr;
    const bool is_there =
        ::getgrnam_r(name.c_str(), &found, names.data(), names.size(), &result) == 0 &&
        result != nullptr;
    return is_there ? std::optional(found.gr_gid) : std::nullopt;
}

Result<void> grant(const std::filesystem::path& path, gid_t group, Access access) {
    auto* list = ::acl_get_file(path.c_str(), ACL_TYPE_ACCESS);
    const bool is_granted = list != nullptr && grant_in(list, group, access) &&
                            ::acl_set_file(path.c_str(), ACL_TYPE_ACCESS, list) == 0;
    const auto why = errno;
    const List owned(list);  // entries that were added may have moved it
    return is_granted ? ok()
                      : fail(Errc::unavailable, fmt::format("cannot let a group into {}: {}",
                                                            path.string(), std::strerror(why)));
}

}  // namespace fieldpost::home
