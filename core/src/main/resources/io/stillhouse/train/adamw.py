# torch.nn.utils.clip_grad_norm_ and torch.optim.AdamW(fused=True), with libtorch's operators.


class Ops(Module):
    training: bool

    # Returns the norm of all gradients together.
    def norm(self, grads: List[Tensor]) -> Tensor:
        return torch.linalg_vector_norm(torch.stack(torch._foreach_norm(grads, 2)), 2)

    def scale(self, grads: List[Tensor], factor: float) -> None:
        torch._foreach_mul_(grads, factor)

    def clear(self, grads: List[Tensor]) -> None:
        torch._foreach_zero_(grads)

    # Updates parameters and moments in place. `steps` contains the number of this step for each parameter, float32.
    def step(
        self,
        params: List[Tensor],
        grads: List[Tensor],
        first: List[Tensor],
        second: List[Tensor],
        steps: List[Tensor],
        lr: float,
        beta1: float,
        beta2: float,
        decay: float,
        eps: float,
    ) -> None:
        largest = annotate(List[Tensor], [])  # maxima of the second moments, which only AMSGrad uses
        torch._fused_adamw_(
            params,
            grads,
            first,
            second,
            largest,
            steps,
            lr=lr,
            beta1=beta1,
            beta2=beta2,
            weight_decay=decay,
            eps=eps,
            amsgrad=False,
            maximize=False,
        )
