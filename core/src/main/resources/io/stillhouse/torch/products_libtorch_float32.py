# Products with the weights of linear layers, on a GPU, in float32. E is the width of the results.


# Returns the results of a linear layer, (N, E).
def linear(inputND: Tensor, weightED: Tensor, biasE: Tensor) -> Tensor:
    return torch.linear(inputND, weightED, biasE)


# Returns the same without a bias.
def product(inputND: Tensor, weightED: Tensor) -> Tensor:
    return torch.linear(inputND, weightED, None)


# Adds a batch's gradient of a weight to `sumED`, in place.
def add_outer(sumED: Tensor, gradNE: Tensor, inputND: Tensor) -> Tensor:
    return sumED.addmm_(gradNE.t(), inputND)
