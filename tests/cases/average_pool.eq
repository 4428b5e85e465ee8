# Average pooling
axis u = 2, p = (size(h) - size(u))//2 + 1
data x[b,c,h]
parameter γ[c], V[c,p]
z[b,c,h] = tanh(γ[c]*x[b,c,h])
m[b,c,p] = sum[u](z[b,c,2*p + u])/size(u)
C = sum[b]((sum[c,p](m[b,c,p]*V[c,p]))^2)
