import './app.css'
import { CSPProvider } from '@base-ui/react/csp-provider'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createQueryClient } from './lib/client.ts'
import { createAppRouter } from './routes/router.tsx'
import { ToastProvider } from './ui/toast.tsx'
import { TipProvider } from './ui/tooltip.tsx'

const queries = createQueryClient()
const router = createAppRouter(queries)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <QueryClientProvider client={queries}>
        <TipProvider>
          <ToastProvider>
            <RouterProvider router={router} />
          </ToastProvider>
        </TipProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
)
