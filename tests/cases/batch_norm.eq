# Batch normalisation (Ioffe, Szegedy 2015), with the running mean that it carries along
ε = 1e-5
data x[b,i], y[b,j]
parameter W[i,j], γ[j], β[j]
state M[j] = 0
z[b,j] = sum[i](x[b,i]*W[i,j])
μ[j] = sum[b](z[b,j])/size(b)
v[j] = sum[b]((z[b,j] - μ[j])^2)/size(b)
n[b,j] = (z[b,j] - μ[j])/sqrt(v[j] + ε)
a[b,j] = tanh(γ[j]*n[b,j] + β[j])
C = sum[b,j]((a[b,j] - y[b,j])^2)/(2*size(b))
M'[j] = 0.9*M[j] + 0.1*μ[j]
