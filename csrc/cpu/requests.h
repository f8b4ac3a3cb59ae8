// What the jobs of a model ask for, as far as the queue's index wants to know: which gang sizes there are, and how
// long limits get.
#pragma once
#include "../core/model.h"

namespace gpusim {

// Sets model->requests: a group for each gang size, or for neighbours where there are many sizes.
void describe_requests(Model* model);

}  // namespace gpusim
