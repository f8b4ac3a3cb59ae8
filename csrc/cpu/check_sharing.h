// Facts about how tenants share a center that the engine relies on; see check.h.
#pragma once
#include <string>

#include "../core/model.h"

namespace gpusim {

// Empty if quotas, limits of users, fair orders and closures are sound, else what is wrong.
std::string check_sharing(const Model& m);

}  // namespace gpusim
