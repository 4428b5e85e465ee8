# Layer normalisation (Ba, Kiros, Hinton 2016)
ε = 1e-5
data x[b,i], y[b,j]
parameter W[i,j], γ[j], β[j]
z[b,j] = sum[i](x[b,i]*W[i,j])
μ[b] = sum[j](z[b,j])/size(j)
v[b] = sum[j]((z[b,j] - μ[b])^2)/size(j)
n[b,j] = (z[b,j] - μ[b])*rsqrt(v[b] + ε)
a[b,j] = γ[j]*n[b,j] + β[j]
C = sum[b,j]((a[b,j] - y[b,j])^2)/(2*size(b))
